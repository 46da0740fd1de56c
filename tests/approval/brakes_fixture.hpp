// A store with its tables, and brakes to set in it.
#pragma once

#include "approval/brakes.hpp"
#include "approval/queue.hpp"
#include "base/json.hpp"
#include "telemetry/audit_log.hpp"
#include "tests/support/fakes.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace interlock::test {

struct BrakeStore {
    BrakeStore() : store(open()) {
        if (!approval::Queue(*store, random).create_tables().ok()) {
            throw std::runtime_error("no tables");
        }
    }
    std::unique_ptr<db::Store> open() {
        auto opened =
            db::open_sqlite_store(directory.file("queue.db"), db::StoreMode::create, clock);
        if (!opened) {
            throw std::runtime_error(base::to_text(opened.error()));
        }
        return std::move(opened).value();
    }
    static approval::Brake
    brake(approval::BrakeKind kind, const std::string& name, const std::string& issuer = {}) {
        approval::Brake made;
        made.kind = kind;
        made.name = name;
        made.issuer = issuer;
        made.who = "os:alice";
        made.reason = "it does harm";
        return made;
    }
    base::Result<approval::SetBrake> set(approval::BrakeKind kind, const std::string& name) {
        return approval::set_brake(*store, random, brake(kind, name));
    }
    std::vector<approval::Brake> in_force() { return approval::brakes_in_force(*store).value(); }
    std::vector<telemetry::AuditRecord> records() {
        return telemetry::read_audit(*store, 0, 1000).value();
    }

    TemporaryDirectory directory;
    SharedClock clock;
    SharedRandom random;
    std::unique_ptr<db::Store> store;
};

} // namespace interlock::test
