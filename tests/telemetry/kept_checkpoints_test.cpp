#include "base/file.hpp"
#include "base/text.hpp"
#include "telemetry/kept_checkpoints.hpp"
#include "telemetry/log_memory.hpp"
#include "tests/telemetry/audit_support.hpp"

#include <filesystem>

#include <catch2/catch.hpp>

namespace interlock::telemetry {
namespace {

using base::Errc;

/// A log, and programs that sign it into one directory.
struct Programs : test::AuditFixture {
    std::string directory = AuditFixture::directory.file("checkpoints");

    Programs() { std::filesystem::create_directory(directory); }
    std::string note(const std::string& program) const {
        return directory + "/" + program + ".note";
    }
    void sign(const std::string& program) {
        LogMemory memory(note(program), program, base::signing_key_from_seed(std::string(32, 'k')));
        REQUIRE(memory.follow(*store, Scrutiny::hashes));
        REQUIRE(memory.keep());
    }
    std::string key(const std::string& program) const {
        const auto text = base::read_file(directory + "/" + program + ".vkey", 4096);
        REQUIRE(text.ok());
        return std::string(base::trim(*text));
    }
};

void write(const std::string& path, const std::string& content) {
    REQUIRE(base::write_file_atomically(path, content).ok());
}

TEST_CASE(
    "the checkpoints that programs keep are read, and those that do not hold are told",
    "[telemetry]"
) {
    Programs f;
    CHECK(kept_checkpoints(f.directory).notes.empty());
    f.fill(3);
    f.sign("server");
    f.sign("executor");
    auto kept = kept_checkpoints(f.directory);
    REQUIRE(kept.notes.size() == 2);
    CHECK(kept.problems.empty());
    CHECK(kept.notes[0].program == "executor");
    CHECK(kept.notes[0].key == f.key("executor"));
    CHECK(kept.notes[1].checkpoint.size == 3);
    std::filesystem::remove(f.directory + "/executor.vkey");
    write(f.note("server"), "garbage");
    kept = kept_checkpoints(f.directory);
    CHECK(kept.notes.empty());
    CHECK(kept.problems.size() == 2);
    CHECK(kept_checkpoints(f.directory + "/nowhere").notes.empty());
}

TEST_CASE("checkpoints that cannot be looked for are a problem, not their absence", "[telemetry]") {
    Programs f;
    std::filesystem::remove_all(f.directory);
    CHECK(kept_checkpoints(f.directory).problems.empty());
    write(f.directory, "not a directory");
    CHECK(kept_checkpoints(f.directory).problems.size() == 1);
}

TEST_CASE("a log is held against every checkpoint that is kept of it", "[telemetry]") {
    Programs f;
    f.fill(2);
    REQUIRE(log_continues(*f.store, f.directory)); // nothing is kept yet
    f.sign("server");
    f.fill(5);
    f.sign("executor");
    REQUIRE(log_continues(*f.store, f.directory));
    f.fill(1);
    REQUIRE(log_continues(*f.store, f.directory));
    const auto first = base::read_file(f.note("executor"), 4096);
    const auto why = [&](db::Store& store) {
        const auto status = log_continues(store, f.directory);
        REQUIRE_FALSE(status.ok());
        CHECK(status.error().code == Errc::corrupt);
        return status.error().what;
    };
    SECTION("a log that went back") {
        f.tamper({"delete from audit_log"});
        (void)why(*f.store);
    }
    SECTION("another log") {
        test::AuditFixture other;
        other.fill(9);
        other.tamper({"update audit_state set origin = 'another.example'"});
        (void)why(*other.store);
    }
    SECTION("a checkpoint that does not hold") {
        write(f.note("server"), "garbage");
        CHECK(why(*f.store).find("server.note") != std::string::npos);
    }
    CHECK(*base::read_file(f.note("executor"), 4096) == *first); // nothing is signed
}

TEST_CASE("a checkpoint is read only with the key that signed it", "[telemetry]") {
    Programs f;
    f.fill(1);
    f.sign("server");
    f.sign("executor");
    CHECK(read_checkpoint(f.note("server"), f.key("server")).ok());
    CHECK_FALSE(read_checkpoint(f.note("server"), f.key("executor")).ok());
    CHECK_FALSE(read_checkpoint(f.note("server"), "no key").ok());
    CHECK_FALSE(read_checkpoint(f.note("nobody"), f.key("server")).ok());
}

} // namespace
} // namespace interlock::telemetry
