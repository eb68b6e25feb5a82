"""The detector's domain: readings, clean, features, windows, autoencoder, scoring, evaluation, bundle."""
