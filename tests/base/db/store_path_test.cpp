#include "base/clock.hpp"
#include "base/db/store_path.hpp"
#include "base/db/store_place.hpp"
#include "base/process.hpp"
#include "tests/support/fakes.hpp"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

/// As a user whom permissions bind; root is nobody in between.
class AsOrdinaryUser {
public:
    AsOrdinaryUser() {
        if (was_ == 0) {
            const passwd* const nobody = ::getpwnam("nobody");
            REQUIRE(nobody != nullptr);
            REQUIRE(::seteuid(nobody->pw_uid) == 0);
        }
    }
    AsOrdinaryUser(const AsOrdinaryUser&) = delete;
    AsOrdinaryUser& operator=(const AsOrdinaryUser&) = delete;
    ~AsOrdinaryUser() {
        if (was_ == 0 && ::seteuid(was_) != 0) {
            std::abort(); // what follows would run as somebody else
        }
    }

private:
    const uid_t was_ = ::geteuid();
};

/// A directory that may be entered again once the test is over.
struct Closed {
    test::TemporaryDirectory directory;
    const std::string inner = directory.file("state");
    Closed() {
        REQUIRE(::mkdir(inner.c_str(), 0700) == 0);
        REQUIRE(::chmod(inner.c_str(), 0) == 0);
        REQUIRE(::chmod(directory.path().c_str(), 0755) == 0);
    }
    ~Closed() { (void)::chmod(inner.c_str(), 0700); }
};

} // namespace

TEST_CASE("a store behind a closed directory is not said to be missing", "[db][store]") {
    const Closed closed;
    base::SystemClock clock;
    const std::string owner = base::current_user();
    const AsOrdinaryUser ordinary;
    const base::StateDirectory state{closed.inner};
    for (const auto mode : {StoreMode::existing, StoreMode::read_only}) {
        for (const auto& opened :
             {open_store(state, mode, clock), open_sqlite_store(state.queue(), mode, clock)}) {
            REQUIRE_FALSE(opened.ok());
            CHECK(opened.error().code == base::Errc::permission_denied);
            CHECK_THAT(
                opened.error().what,
                Catch::Contains("the directory " + closed.inner + " belongs to " + owner) &&
                    Catch::Contains("(mode 0000)") && Catch::Contains(base::current_user())
            );
            CHECK_THAT(opened.error().remedy, Catch::Contains("sudo -u " + owner));
        }
    }
    // However deep below.
    const auto why = kept_out_of(closed.inner + "/a/b/queue.db");
    REQUIRE(why);
    CHECK_THAT(why->what, Catch::Contains("the directory " + closed.inner + " belongs"));
}

TEST_CASE("what is not there, and what is, keeps nobody out", "[db][store]") {
    const test::TemporaryDirectory directory;
    CHECK_FALSE(kept_out_of(directory.file("queue.db")));
    CHECK_FALSE(kept_out_of(directory.path()));
    CHECK_FALSE(kept_out_of("queue.db"));
    CHECK_FALSE(kept_out_of(""));
}

} // namespace interlock::db
