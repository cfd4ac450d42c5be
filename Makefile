SHELL := /bin/bash
.PHONY: proto
proto:
	cd proto && protoc-c --c_out=../Sources/KumiaiProto kumiai/v1/*.proto
	mkdir -p Sources/KumiaiProto/include/kumiai/v1
	mv Sources/KumiaiProto/kumiai/v1/*.pb-c.h Sources/KumiaiProto/include/kumiai/v1/
