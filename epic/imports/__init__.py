"""What other systems know of fleets and traffic, as rows of EPIC."""
