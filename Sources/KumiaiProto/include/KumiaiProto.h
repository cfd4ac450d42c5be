#pragma once
// The C that protoc-c generates from proto/ (make proto). Committed, and compared in CI.
#include "kumiai/v1/ledger.pb-c.h"
#include "kumiai/v1/plan.pb-c.h"
#include "kumiai/v1/update.pb-c.h"
#include "kumiai/v1/wire.pb-c.h"
