"""How the network is made: data, augmentation, sampling, training, search, and export to the serving file.

The only wing that imports TensorFlow and Keras. Start with `model.training.train`.
"""
