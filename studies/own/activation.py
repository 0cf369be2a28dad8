#!/usr/bin/env python
"""Does a learned periodic activation of one's own beat ReLU on digits?  3 arms x 5 replicates.

An example of components from beside the study: `my_parts.py`.
"""

from paribus import Study, main

study = Study(
    name="own_activation",
    base="digits",
    factors={"model.activation": ("relu", "my_parts:Snake", {"kind": "my_parts:Snake", "alpha": 0.5})},
    replicates=5,
)

if __name__ == "__main__":
    main(study)
