"""What Hydra plugs in: grids and studies."""
