-- Undo suspend: the field is absent in normal life.

obj.spec.suspend = nil
return obj
