"""Reading photographs: decoding files, finding the field of view, recognising a retina."""
