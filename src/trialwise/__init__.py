"""trialwise: tunes and trains PyTorch models and says honestly how good they are."""
