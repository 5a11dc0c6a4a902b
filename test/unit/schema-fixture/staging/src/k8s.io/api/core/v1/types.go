package v1

type LocalObjectReference struct {
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
}

type Sail struct {
	LocalObjectReference `json:",inline" protobuf:"bytes,1,opt,name=localObjectReference"`

	Side string `json:"side,omitempty" protobuf:"bytes,2,opt,name=side"`
	Cloth *string `json:"cloth,omitempty" protobuf:"bytes,3,opt,name=cloth"`
}
