// What a real execution leaves behind, exported and checked as an auditor does it.
#include "base/json.hpp"
#include "base/state_directory.hpp"
#include "cli/audit_bundle.hpp"
#include "cli/audit_export.hpp"
#include "telemetry/log_memory.hpp"
#include "tests/cli/printed.hpp"
#include "tests/executor/scene.hpp"

#include <filesystem>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::test {
namespace {

/// A scene whose queue stands in a state directory, and whose executor keeps its checkpoints there.
struct AuditedScene : Scene {
    const base::StateDirectory state{directory.path()};

    std::vector<std::string> problems(const cli::Files& files, const cli::BundleTrust& trust = {}) {
        const auto found = must(cli::check_bundle(files, trust));
        auto sentences = found.problems;
        sentences.insert(sentences.end(), found.not_known.begin(), found.not_known.end());
        std::erase_if(sentences, [](const auto& sentence) { // no call asked for a scene's plan
            return sentence.find("on whose authority is not known") != std::string::npos;
        });
        return sentences;
    }
    cli::Files bundle_of(const Machine& machine, const std::string& id) {
        if (!base::make_private_directory(state.checkpoints()).ok())
            throw std::runtime_error("no directory");
        telemetry::LogMemory memory(
            state.checkpoints() + "/executor.note", "interlock-executor", machine.key()
        );
        if (!memory.follow(*store, telemetry::Scrutiny::hashes).ok() || !memory.keep().ok())
            throw std::runtime_error("not signed");
        cli::ExportOptions options;
        options.state_directory = directory.path();
        options.plan_id = id;
        options.out = directory.file("bundle.tar");
        std::filesystem::remove(options.out);
        const auto exit = printed([&] { return cli::export_audit(options); }).first;
        REQUIRE((exit == cli::Exit::ok || exit == cli::Exit::check_failed));
        return must(cli::read_tar(must(base::read_file(options.out, 1U << 28U))));
    }
    /// Without one record, and as if it had never been counted.
    static cli::Files without(cli::Files files, std::uint64_t index) {
        for (const char* part : {"header.json", "payload.json", "salt", "proof.tlog-proof"})
            files.erase(cli::bundle_record(index, part));
        auto manifest = base::parse_json(files[cli::bundle_manifest]).value();
        manifest["records"] = manifest["records"].get<int>() - 1;
        files[cli::bundle_manifest] = base::render_json(manifest);
        return files;
    }
    /// The bundle is whole, and no record of it can be left out unnoticed.
    void expect_whole(const Machine& machine, const std::string& id, const char* ending) {
        const auto files = bundle_of(machine, id);
        const auto found = must(cli::check_bundle(files, {}));
        for (const auto& sentence : problems(files))
            FAIL_CHECK(sentence);
        REQUIRE(found.plans.size() == 1);
        const auto& told = found.plans[0];
        CHECK(told.state == ending);
        CHECK(told.plan_id == id);
        CHECK(told.outcome_signed);
        CHECK(
            told.outcome_key ==
            telemetry::verifier_key("interlock-executor", machine.key().public_key)
        );
        CHECK(told.outcome_key_vouched == cli::Vouched::by_bundle);
        for (std::uint64_t index = 0; index < found.log_size; ++index) {
            const auto header = files.find(cli::bundle_record(index, "header.json"));
            if (header == files.end())
                continue;
            INFO(header->second);
            CHECK_FALSE(problems(without(files, index)).empty());
        }
    }
};

} // namespace

TEST_CASE("the bundle of a real execution is whole, and lacks no record unnoticed", "[executor]") {
    AuditedScene scene;
    const auto machine = scene.machine();
    SECTION("that recovered") {
        const auto id = scene.approved(undoable_plan());
        (void)machine->pass();
        scene.expect_whole(*machine, id, "SUCCEEDED");
    }
    SECTION("that was rolled back") {
        scene.script.acts = {Act::commit, Act::deny};
        const auto id = scene.approved(undoable_plan());
        (void)machine->pass();
        scene.expect_whole(*machine, id, "ROLLED_BACK");
    }
    SECTION("that nobody but a person can undo") {
        scene.script.acts = {Act::commit, Act::deny, Act::deny};
        const auto id = scene.approved(undoable_plan());
        (void)machine->pass();
        scene.expect_whole(*machine, id, "NEEDS_HUMAN");
    }
    SECTION("that was interrupted") {
        scene.script.acts = {Act::commit, Act::lose_after};
        const auto id = scene.approved(undoable_plan());
        (void)machine->pass();
        CHECK_FALSE(scene.problems(scene.bundle_of(*machine, id)).empty()); // it has not ended
        scene.let_leases_lapse();
        (void)scene.machine()->pass();
        scene.expect_whole(*machine, id, "SUCCEEDED");
    }
    SECTION("that did not begin") {
        scene.script.answers["ready"] = always("0");
        const auto id = scene.approved(bounded_plan());
        (void)machine->pass();
        scene.expect_whole(*machine, id, "ABORTED_CLEAN");
    }
}

TEST_CASE("a bundle says who vouches for the key that signed an outcome", "[executor]") {
    AuditedScene scene;
    const auto machine = scene.machine();
    const auto id = scene.approved(bounded_plan());
    (void)machine->pass();
    const auto files = scene.bundle_of(*machine, id);
    const auto key = telemetry::verifier_key("interlock-executor", machine->key().public_key);
    cli::BundleTrust trust;
    trust.executor_keys = {key};
    CHECK(scene.problems(files, trust).empty());
    CHECK(
        must(cli::check_bundle(files, trust)).plans.at(0).outcome_key_vouched ==
        cli::Vouched::by_reader
    );
    const auto other = telemetry::verifier_key(
        "other", base::signing_key_from_seed(std::string(32, 'x')).public_key
    );
    trust.executor_keys = {other};
    CHECK_THAT(
        scene.problems(files, trust).at(0),
        Catch::Contains("is signed by the key " + key + ", which is none of the executors' keys")
    );
    trust.executor_keys = {other, key}; // it was changed in between
    CHECK(scene.problems(files, trust).empty());
}

} // namespace interlock::test
