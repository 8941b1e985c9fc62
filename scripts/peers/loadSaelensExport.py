"""Loads an exported folder with SAELens itself and prints what it understood.

    python scripts/peers/loadSaelensExport.py FOLDER     (needs sae-lens)
"""

import json
import sys

import sae_lens

sae = sae_lens.SAE.load_from_disk(sys.argv[1])
print(
    json.dumps(
        {
            "sae_lens": sae_lens.__version__,
            "architecture": sae.cfg.architecture(),
            "d_in": sae.cfg.d_in,
            "d_sae": sae.cfg.d_sae,
            "metadata": sae.cfg.metadata.to_dict(),
        },
        default=str,
    )
)
