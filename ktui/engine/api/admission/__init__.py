"""Admission: plugins that change or refuse a request between authorization and the store, one module each."""
