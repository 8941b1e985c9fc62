import { Fragment } from 'react';

/** The name of a hook point, which a narrow column breaks after its dots and nowhere else. */
export function HookName({ hook }: { hook: string }) {
  return (
    <code>
      {hook.split(/(?<=\.)/).map((part, at) => (
        <Fragment key={at}>
          {at > 0 && <wbr />}
          {part}
        </Fragment>
      ))}
    </code>
  );
}
