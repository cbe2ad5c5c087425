package facts

import (
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
)

// EngineFacts is what the Docker Engine says of itself.
type EngineFacts struct {
	Endpoint
	system.Info
}

// readEngine asks the engine about itself, wherever it is: EngineFacts.Local says whether that is this machine.
// Checks of the engine and its containers hold for a remote one too; those of host files go through Daemon, which is
// ErrElsewhere then.
func (h *Host) readEngine() (*EngineFacts, error) {
	engine, endpoint, err := h.src.Engine(h.ctx)
	if err != nil {
		return nil, err
	}
	info, err := engine.Info(h.ctx)
	if err != nil {
		return nil, err
	}
	return &EngineFacts{endpoint, info}, nil
}

func (h *Host) readContainers() ([]container.InspectResponse, error) {
	engine, _, err := h.src.Engine(h.ctx)
	if err != nil {
		return nil, err
	}
	return engine.Containers(h.ctx)
}

func (h *Host) readNetwork(name string) (network.Inspect, error) {
	engine, _, err := h.src.Engine(h.ctx)
	if err != nil {
		return network.Inspect{}, err
	}
	return engine.Network(h.ctx, name)
}
