"""What the commands that make a trained model smaller have in common.

A model comes with its tokenizer (`models`), texts become calibration and held-out data
(`texts`), both models are measured (`costs`), and the smaller one is saved (`output`)
beside a page (`page`). `kit prune` is `prune`, and `kit share` is `share`.
"""
