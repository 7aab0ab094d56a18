"""Operations: one file each, in a folder an astronomer would name. `firstlight.ops.registry` finds them."""
