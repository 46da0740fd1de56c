// The executor's configuration: a YAML file, or the few options of the quick form.
#pragma once

#include "approval/decision.hpp"
#include "base/db/conninfo.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace interlock::executor {

struct Config {
    std::string state; // directory of keys, checkpoints and spans
    std::string store; // the queue's file; queue.db of `state`: see db::find_store()
    std::vector<db::TargetAddress> targets;
    approval::ApproverKeys approvers;
    std::string listen; // address:port of /healthz and /metrics; "" = none
    base::LogLevel log_level = base::LogLevel::info;
    std::chrono::milliseconds lease_lifetime = base::limits::lease_lifetime;
    std::chrono::milliseconds poll_interval = base::limits::executor_poll_interval;
};

/// Reads the file's text. Paths that are not absolute stand beside the file: `directory`.
base::Result<Config> read_config(std::string_view yaml, const std::string& directory);
/// The people file of the quick form: the list that stands under `approvers` in the other.
base::Result<std::vector<std::vector<std::string>>> read_people(std::string_view yaml);
/// What both forms must satisfy: a target, an allowed_signers file that names somebody, a lease
/// long enough to be renewed. Each failure has an error of its own.
base::Status check_config(const Config& config);

} // namespace interlock::executor
