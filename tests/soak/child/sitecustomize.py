"""Python imports this when it starts, if its folder is on PYTHONPATH: processes of a training that are to die."""

import os

if os.environ.get("SOAK_DIE_UNDER") and os.environ.get("RANK", "0") == os.environ["SOAK_DIE_RANK"]:
    from soak.dying import before_file_operation

    before_file_operation(os.environ["SOAK_DIE_UNDER"], int(os.environ["SOAK_DIE_AT"]))
