"""The brain: the model, the policies, the loop, episodes, environments and learning."""
