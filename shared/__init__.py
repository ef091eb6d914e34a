"""What the five services share: their contracts (schemas) and the kit they stand on."""
