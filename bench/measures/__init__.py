"""The measurements, a module each; ``bench.catalogue`` lists them."""
