package stride

// All is the model, in the order in which reports show it.
var All = []Threat{}
