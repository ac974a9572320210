"""Reports (案卷): the verbs that move them and the queries that show them."""
