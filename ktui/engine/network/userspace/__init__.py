"""Services without the kernel's help: where there is no nftables, or no right to use it, as for rootless pods."""
