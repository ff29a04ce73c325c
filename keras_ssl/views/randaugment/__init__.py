"""RandAugment with PIL's pixels."""
