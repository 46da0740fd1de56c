#include "base/db/password.hpp"
#include "base/limits.hpp"
#include "tests/support/fakes.hpp"

#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

using base::Errc;
using Catch::Contains;
namespace limits = base::limits;

TargetAddress from_file(const std::string& path) {
    return {"shop", "host=x", path};
}

TargetAddress from_command(std::vector<std::string> arguments) {
    TargetAddress address{"shop", "host=x", {}};
    address.password_command = std::move(arguments);
    return address;
}

TargetAddress from_script(const std::string& script) {
    return from_command({"sh", "-c", script});
}

base::Error failure(const TargetAddress& address) {
    const auto password = read_password(address);
    REQUIRE_FALSE(password.ok());
    CHECK(password.error().code == Errc::permission_denied);
    CHECK_FALSE(password.error().remedy.empty());
    return password.error();
}

base::Error failure(const std::string& file) {
    return failure(from_file(file));
}

TEST_CASE("a target without a source of its password leaves it to libpq", "[db]") {
    const auto password = read_password({"shop", "host=x", {}});
    REQUIRE(password.ok());
    CHECK_FALSE(password->has_value());
}

TEST_CASE("a password file that others can read is refused", "[db]") {
    test::TemporaryDirectory directory;
    const auto file = directory.file("password");
    REQUIRE(base::write_file_atomically(file, "secret\n").ok());
    for (const auto mode : {0640U, 0604U, 0660U, 0601U}) {
        ::chmod(file.c_str(), mode);
        const auto error = failure(file);
        CHECK(error.code == Errc::permission_denied);
        CHECK(error.what.find("others") != std::string::npos);
        CHECK(error.remedy.find("chmod 600") != std::string::npos);
    }
    ::chmod(file.c_str(), 0400);
    CHECK(read_password(from_file(file))->value() == "secret");
}

TEST_CASE("a password file that is absent, empty, huge or no file is refused", "[db]") {
    test::TemporaryDirectory directory;
    const auto file = directory.file("password");
    CHECK(failure(file).code == Errc::permission_denied);
    CHECK(failure(directory.path()).code == Errc::permission_denied);
    REQUIRE(base::write_file_atomically(file, "").ok());
    CHECK(failure(file).code == Errc::permission_denied);
    REQUIRE(base::write_file_atomically(file, std::string(10'000, 'x')).ok());
    CHECK(failure(file).code == Errc::permission_denied);
    ::unlink(file.c_str());
    REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
    CHECK(failure(file).code == Errc::permission_denied);
}

TEST_CASE("a password is one line, and its spaces belong to it", "[db]") {
    CHECK(read_password(from_script("printf ' a b \\r\\n\\n'"))->value() == " a b ");
    CHECK_THAT(failure(from_script("printf 'a\\nb'")).what, Contains("more than one line"));
    CHECK_THAT(failure(from_script("printf 'a\\0b'")).what, Contains("more than one line"));
}

TEST_CASE("a variable that is absent or empty is told", "[db]") {
    TargetAddress address{"shop", "host=x", {}};
    address.password_variable = "INTERLOCK_TEST_NO_SUCH_PASSWORD";
    CHECK_THAT(
        failure(address).what, Contains("variable INTERLOCK_TEST_NO_SUCH_PASSWORD is not set")
    );
    ::setenv(address.password_variable.c_str(), "", 1);
    CHECK_THAT(failure(address).what, Contains("empty"));
    ::setenv(address.password_variable.c_str(), "secret", 1);
    CHECK(read_password(address)->value() == "secret");
    ::unsetenv(address.password_variable.c_str());
}

TEST_CASE("a command runs without a shell", "[db]") {
    CHECK(read_password(from_command({"echo", "$HOME; echo b"}))->value() == "$HOME; echo b");
}

TEST_CASE("a command that fails shows neither its arguments nor what it wrote", "[db]") {
    for (const auto& [address, why] : std::vector<std::pair<TargetAddress, std::string>>{
             {from_script("echo out-secret; echo err-secret >&2; exit 3"), "exit code 3"},
             {from_script("kill -9 $$"), "exit code 137"},
             {from_script(": arg-secret"), "empty"},
             {from_script("yes out-secret | head -c 3000000"), "too"},
             {from_script("yes out-secret | head -c 300000"), "too long"},
             {from_command({"/nonexistent/command", "arg-secret"}), "cannot be run"}}) {
        const auto error = failure(address);
        CHECK_THAT(error.what, Contains(why));
        CHECK_THAT(base::to_text(error), !Contains("secret"));
    }
}

TEST_CASE("a command that does not end is ended", "[db]") {
    base::SystemClock clock;
    const auto began = clock.ticks();
    CHECK_THAT(failure(from_script("sleep 600")).what, Contains("did not end"));
    CHECK(clock.ticks() - began < limits::connect_timeout + std::chrono::seconds{5});
}

} // namespace
} // namespace interlock::db
