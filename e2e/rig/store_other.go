//go:build !unix

package rig

import "testing"

func (w *World) useStore(testing.TB) {}
