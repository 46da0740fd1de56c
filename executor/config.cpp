#include "executor/config.hpp"

#include "approval/people.hpp"
#include "base/db/store_place.hpp"
#include "base/decode.hpp"
#include "base/file.hpp"
#include "base/http_server.hpp"
#include "base/state_directory.hpp"
#include "base/text.hpp"
#include "base/yaml.hpp"

#include <set>

#include <nlohmann/json.hpp>

namespace interlock::executor {

namespace {

namespace limits = base::limits;
using base::Errc;
using base::Error;

constexpr std::size_t signers_bytes_max = std::size_t{1} << 20; // thousands of keys

std::string beside(const std::string& directory, const std::string& path) {
    return path.empty() || path.front() == '/' ? path : directory + "/" + path;
}

approval::ApproverKeys read_approvers(base::Decoder entry, const std::string& directory) {
    approval::ApproverKeys keys;
    keys.allowed_signers = beside(directory, entry.text("allowed_signers"));
    keys.revoked_keys = beside(directory, entry.text_or("revoked_keys", ""));
    keys.people = approval::read_people(entry);
    return keys;
}

/// Whether any line of an allowed_signers file names somebody.
bool names_somebody(std::string_view text) {
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto line = base::trim(text.substr(0, end));
        if (!line.empty() && line.front() != '#') {
            return true;
        }
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
    return false;
}

} // namespace

base::Result<Config> read_config(std::string_view yaml, const std::string& directory) {
    INTERLOCK_TRY(const auto document, base::parse_yaml(yaml));
    base::Decoder root(document, "");
    Config config;
    config.state = beside(directory, root.text("state"));
    config.store =
        beside(directory, root.text_or("store", base::StateDirectory{config.state}.queue()));
    if (const auto why = db::not_a_store_file(root.text_or("store", ""))) {
        root.fail("store", *why);
    }
    for (auto& entry : root.mappings("targets")) {
        config.targets.push_back(db::read_target_address(entry));
    }
    config.approvers = read_approvers(root.mapping("approvers"), directory);
    config.listen = root.text_or("listen", "");
    if (root.has("log_level")) {
        const auto level =
            base::log_level_from_name(root.choice("log_level", base::log_level_names()));
        config.log_level = level ? *level : config.log_level; // finish() tells of a wrong one
    }
    config.lease_lifetime = root.duration_or("lease_lifetime", limits::lease_lifetime);
    config.poll_interval = root.duration_or("poll_interval", limits::executor_poll_interval);
    INTERLOCK_CHECK(root.finish());
    return config;
}

base::Result<std::vector<std::vector<std::string>>> read_people(std::string_view yaml) {
    INTERLOCK_TRY(const auto document, base::parse_yaml(yaml));
    base::Decoder root(document, "");
    auto people = approval::read_people(root);
    INTERLOCK_CHECK(root.finish());
    return people;
}

base::Status check_config(const Config& config) {
    if (config.targets.empty()) {
        return Error{
            Errc::invalid_input, "No target is configured.", "Name one: --target NAME=CONNINFO."};
    }
    std::set<std::string> names;
    for (const auto& target : config.targets) {
        if (!names.insert(target.name).second) {
            return Error{
                Errc::invalid_input,
                "Target " + target.name + " is configured twice.",
                "Give every target a name of its own."};
        }
    }
    if (config.lease_lifetime < limits::lease_lifetime_min ||
        config.lease_lifetime > limits::lease_lifetime_max) {
        return Error{
            Errc::invalid_input,
            "The lease lifetime must be between " +
                std::to_string(limits::lease_lifetime_min.count()) + " and " +
                std::to_string(limits::lease_lifetime_max.count()) + " seconds.",
            "Leave it out to use " + std::to_string(limits::lease_lifetime.count()) + " seconds."};
    }
    if (!config.listen.empty()) {
        INTERLOCK_CHECK(base::parse_listen_address(config.listen));
    }
    const auto& signers = config.approvers.allowed_signers;
    if (signers.empty()) {
        return Error{
            Errc::invalid_input,
            "No allowed_signers file is configured, so nobody could approve anything.",
            "Name one: --allowed-signers FILE."};
    }
    INTERLOCK_TRY(const auto text, base::read_file(signers, signers_bytes_max));
    if (!names_somebody(text)) {
        return Error{
            Errc::invalid_input,
            "The allowed_signers file " + signers + " names nobody, so nothing could be approved.",
            "Add a line for each approver: PRINCIPAL namespaces=\"" +
                std::string(approval::ssh_namespace) + "\" KEYTYPE KEY."};
    }
    if (!config.approvers.revoked_keys.empty()) {
        INTERLOCK_CHECK(base::read_file(config.approvers.revoked_keys, signers_bytes_max));
    }
    return base::done;
}

} // namespace interlock::executor
