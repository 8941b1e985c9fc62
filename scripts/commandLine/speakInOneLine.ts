/** Usage errors read like every other error: one line that begins with the program's name and ends with the remedy. */
import type { Command } from 'commander';

/** Holds for the command and all below it, which throw a `CommanderError` instead of ending the process. */
export function speakInOneLine(command: Command, program = command.name()): void {
  command.exitOverride().configureOutput({
    outputError: (text, write) => {
      const said = text.replace(/^error: /, '').trim();
      const path = pathOf(command);
      write(
        `${program}: ${capitalised(said)}${/[.?)]$/.test(said) ? '' : '.'} See '${path} --help'.\n`.replaceAll(
          /\n(?!$)/g,
          ' ',
        ),
      );
    },
  });
  for (const child of command.commands) speakInOneLine(child, program);
}

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

const capitalised = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
