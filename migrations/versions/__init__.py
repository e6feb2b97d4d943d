"""The versions of the schema. A package, so that an installed Passerelle has them too."""
