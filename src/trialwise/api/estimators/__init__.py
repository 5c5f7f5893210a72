"""The trainers of this house in the shape of scikit-learn: `ImageClassifier` and `PriceForecaster`."""
