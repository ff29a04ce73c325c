"""RandAugment with the pixels of PIL."""
