"""An entry of ``models.yaml`` becomes a folder, and the folder a policy."""
