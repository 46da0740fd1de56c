#include "base/limits.hpp"
#include "runbooks/contract.hpp"
#include "runbooks/library_files.hpp"

#include <catch2/catch.hpp>

namespace interlock {
namespace {

std::string library_yaml() {
    for (const auto& file : runbooks::library_files()) {
        if (file.name == "release-blocking-session.yaml") {
            return std::string(file.yaml);
        }
    }
    return {};
}

std::string with(const std::string& what, const std::string& instead) {
    auto yaml = library_yaml();
    const auto at = yaml.find(what);
    REQUIRE(at != std::string::npos);
    return yaml.replace(at, what.size(), instead);
}

/// The contract without the top-level key `key` and everything below it.
std::string without(const std::string& key) {
    auto yaml = library_yaml();
    const auto start = yaml.find("\n" + key + ":");
    REQUIRE(start != std::string::npos);
    auto end = yaml.find('\n', start + 1);
    while (end != std::string::npos && end + 1 < yaml.size() &&
           (yaml[end + 1] == ' ' || yaml[end + 1] == '\n')) {
        end = yaml.find('\n', end + 1);
    }
    return yaml.erase(start, end - start);
}

std::string problem(const std::string& yaml) {
    const auto contract = runbooks::parse_contract(yaml);
    return contract.ok() ? "" : contract.error().what;
}

bool names(const std::string& text, const std::string& part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
    return true;
}

} // namespace

TEST_CASE("a contract that lacks one of the five parts does not load", "[runbooks]") {
    CHECK(problem(library_yaml()).empty());
    for (const std::string part :
         {"trigger",
          "allowed_tools",
          "required_observations",
          "decision_table",
          "completion_proof"}) {
        INFO(part);
        names(problem(without(part)), part);
    }
}

TEST_CASE("a contract that lacks anything else it needs does not load", "[runbooks]") {
    for (const std::string part :
         {"id",
          "version",
          "title",
          "summary",
          "parameters",
          "preconditions",
          "steps",
          "reversibility",
          "risk",
          "needs",
          "server_major_min",
          "allowed_functions",
          "allowed_relations"}) {
        INFO(part);
        names(problem(without(part)), part);
    }
}

TEST_CASE("an unknown key anywhere in a contract is refused by its path", "[runbooks]") {
    names(problem(library_yaml() + "auto_approve: true\n"), "auto_approve");
    names(problem(with("    class: readback", "    clazz: x\n    class: readback")), "clazz");
    names(problem(with("      bounded: true", "      bounded: true\n      fine: yes")), "fine");
    names(problem(with("  interval: 1s", "  interval: 1s\n  forever: yes")), "forever");
    names(problem(with("approvals: 1,", "approvals: 1, vote: 2,")), "vote");
    names(problem(with("    min: 1", "    min: 1\n    mni: 2")), "mni");
    names(problem(with("    equals: \"f\"", "    equals: \"f\"\n    or: t")), "or");
}

TEST_CASE("values out of their range are refused by their path", "[runbooks]") {
    names(problem(with("version: 1", "version: 0")), "version");
    names(problem(with("version: 1", "version: one")), "version");
    names(problem(with("id: release", "id: Release")), "id");
    names(problem(with("id: release-blocking-session", "id: ../../etc")), "id");
    names(problem(with("class: readback", "class: hopeful")), "class");
    names(problem(with("risk: medium", "risk: none")), "risk");
    names(problem(with("assurance: ssh_key", "assurance: word")), "assurance");
    names(problem(with("approvals: 1", "approvals: 0")), "approvals");
    names(problem(with("reversibility: bounded", "reversibility: sure")), "reversibility");
    names(problem(with("lock_timeout: 500ms", "lock_timeout: 0ms")), "lock_timeout");
    names(problem(with("lock_timeout: 500ms", "lock_timeout: 2h")), "lock_timeout");
    names(problem(with("statement_timeout: 10s", "statement_timeout: 10")), "statement_timeout");
    names(problem(with("hold: 8s", "hold: 31s")), "hold");
    names(problem(with("interval: 1s", "interval: 9s")), "hold");
    names(problem(with("at_least: 1", "at_least: some")), "at_least");
    names(problem(with("at_least: 1", "at_least: 1\n    equals: \"1\"")), "equals");
    names(problem(with("example: \"4242\"", "example: pid")), "example");
    names(problem(with("max: 2147483647", "max: 0")), "max");
    names(problem(with("required: false", "required: false\n    fallback: kill")), "fallback");
    names(problem(with("    min: 1", "    fallback: \"7\"\n    min: 1")), "fallback");
    names(problem(with("title: Release", "title: Rel\u0435ase")), "title");
    names(problem(with("pg_catalog.pg_locks\n", "pg_locks\n")), "allowed_relations");
}

TEST_CASE("ids and names that stand twice are refused", "[runbooks]") {
    names(problem(with("- id: same_state", "- id: primary")), "preconditions");
    names(problem(with("- id: cancel-statement", "- id: terminate-session")), "steps");
    names(problem(with("- id: queue_gone", "- id: blocks_nobody")), "recovery");
    names(problem(with("- name: xact_start", "- name: pid")), "parameters");
    names(problem(with("[cancel, terminate]", "[cancel, cancel]")), "choices");
    names(
        problem(with("lock.active_blocker, lock.ddl_queue]", "lock.ddl_queue, lock.ddl_queue]")),
        "causes"
    );
}

TEST_CASE("a readback step needs a probe and a step an inverse or its absence", "[runbooks]") {
    auto yaml = library_yaml();
    const auto probe = yaml.find("    probe:");
    const auto inverse = yaml.find("    inverse:");
    names(problem(std::string(yaml).erase(probe, inverse - probe)), "probe");
    names(problem(with("      absent: >-", "      sql: select 1\n      absent: >-")), "inverse");
    const auto next = yaml.find("  - id: cancel-statement");
    names(problem(std::string(yaml).erase(inverse, next - inverse)), "inverse");
}

TEST_CASE("YAML that could be read in two ways or explode is refused", "[runbooks]") {
    const auto refused = [](const std::string& yaml) {
        return !runbooks::parse_contract(yaml).ok();
    };
    CHECK(refused(""));
    CHECK(refused("- a\n- b\n"));
    CHECK(refused("just text"));
    CHECK(refused(with("version: 1", "version: &v 1")));
    CHECK(refused(with("version: 1", "version: &v 1\nextra: *v")));
    CHECK(refused(with("version: 1", "version: !!int 1")));
    CHECK(refused(with("id: release", "id: !!python/object:os.system release")));
    CHECK(refused(with("version: 1", "version: 1\nversion: 2")));
    CHECK(refused(with("    class: readback", "    class: readback\n    class: transactional")));
    CHECK(refused(with("version: 1", "<<: {a: b}\nversion: 1")));
    CHECK(refused(library_yaml() + "---\nid: second\n"));
    CHECK(refused(library_yaml() + "x: " + std::string(5'000, '[') + "\n"));
    CHECK(refused(library_yaml() + "# " + std::string(base::limits::yaml_bytes_max, 'x') + "\n"));
    CHECK(refused(library_yaml() + "\xff\xfe"));
    CHECK(refused("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n"));
    CHECK(refused("a: &x [*x]\n"));
}

TEST_CASE("a fallback is kept in its one spelling", "[runbooks]") {
    const auto contract = runbooks::parse_contract(
        with("    min: 1", "    required: false\n    fallback: \"007\"\n    min: 1")
    );
    REQUIRE(contract.ok());
    CHECK(contract->parameters.at(0).fallback == "7");
}

TEST_CASE("a contract's digest is that of its bytes, comments included", "[runbooks]") {
    const auto one = runbooks::parse_contract(library_yaml());
    const auto other = runbooks::parse_contract(library_yaml() + "# a word\n");
    REQUIRE(one.ok());
    REQUIRE(other.ok());
    CHECK(one->digest.size() == 64);
    CHECK(one->digest != other->digest);
}

TEST_CASE("the decision for a cause is found by its exact id", "[runbooks]") {
    const auto contract = runbooks::parse_contract(library_yaml());
    REQUIRE(contract.ok());
    const auto* row = runbooks::decision_for(*contract, "lock.ddl_queue");
    REQUIRE(row != nullptr);
    CHECK(row->set.at("signal") == "cancel");
    CHECK(runbooks::decision_for(*contract, "lock.ddl") == nullptr);
    CHECK(runbooks::decision_for(*contract, "") == nullptr);
}

} // namespace interlock
