package v1

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Boat is a kind.
type Boat struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// +optional
	Spec BoatSpec `json:"spec,omitempty" protobuf:"bytes,2,opt,name=spec"`
	// +optional
	Status BoatStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// BoatRig is inlined into BoatSpec.
type BoatRig struct {
	Sails []v1.Sail `json:"sails,omitempty" protobuf:"bytes,1,rep,name=sails"`
	Ports []string  `json:"ports,omitempty" protobuf:"bytes,2,rep,name=ports"`
}

type BoatSpec struct {
	Crew *int32 `json:"crew,omitempty" protobuf:"varint,4,opt,name=crew"`
	// Its name in protobuf is another one.
	Engine   string                       `json:"engine" protobuf:"bytes,5,opt,name=motor,casttype=Engine"`
	BoatRig  `json:",inline" protobuf:"bytes,7,req"`
	Limits   map[string]resource.Quantity `json:"limits,omitempty" protobuf:"bytes,8,rep,name=limits"`
	Selector map[string]string            `json:"selector,omitempty" protobuf:"bytes,9,rep,name=selector"`
	At       *intstr.IntOrString          `json:"at,omitempty" protobuf:"bytes,10,opt,name=at"`
	Raw      runtime.RawExtension         `json:"raw,omitempty" protobuf:"bytes,11,opt,name=raw"`
	Seal     []byte                       `json:"seal,omitempty" protobuf:"bytes,12,opt,name=seal"`
	Since    metav1.Time                  `json:"since,omitempty" protobuf:"bytes,13,opt,name=since"`
	Draught  float64                      `json:"draught,omitempty"`
	hidden   string
}

type BoatStatus struct {
	Afloat bool     `json:"afloat" protobuf:"varint,1,opt,name=afloat"`
	// +optional
	Log    []string `json:"log" protobuf:"bytes,2,rep,name=log"`
}
