package facts

import "github.com/docker/docker/api/types/container"

func (h *Host) readUnit(name string) (*Unit, error)                            { return nil, ErrAbsent }
func (h *Host) readEngine() (*EngineFacts, error)                              { return nil, ErrAbsent }
func (h *Host) readContainers() ([]container.InspectResponse, error)           { return nil, ErrAbsent }
func (h *Host) readDaemon() (*Daemon, error)                                   { return nil, ErrAbsent }
func (h *Host) readAudit() (*Audit, error)                                     { return nil, ErrAbsent }
