// A clock that moves only when told, randomness that counts, and a directory that cleans itself up.
#pragma once

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"

#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>

namespace interlock::test {

/// Starts at 2026-11-21T03:00:00Z.
class ManualClock final : public base::Clock {
public:
    base::Time now() const override { return now_; }
    base::Ticks ticks() const override { return ticks_; }
    void sleep_for(base::Duration duration) override { advance(duration); }
    void advance(base::Duration duration) {
        now_ += duration;
        ticks_ += duration;
    }

private:
    base::Time now_{std::chrono::microseconds{1'795'230'000'000'000}};
    base::Ticks ticks_{};
};

/// Different on every call, the same in every run.
class CountingRandom final : public base::Random {
public:
    std::string bytes(std::size_t count) override {
        std::string out(count, '\0');
        ++calls_;
        for (std::size_t i = 0; i < count; ++i) {
            const auto shift = 8 * (i % 8);
            out[i] = static_cast<char>((calls_ >> shift) & 0xff);
        }
        return out;
    }

private:
    unsigned long long calls_ = 0;
};

/// A ManualClock for a test and the threads it watches at once.
class SharedClock final : public base::Clock {
public:
    base::Time now() const override {
        const std::lock_guard lock(mutex_);
        return manual_.now();
    }
    base::Ticks ticks() const override {
        const std::lock_guard lock(mutex_);
        return manual_.ticks();
    }
    void sleep_for(base::Duration duration) override { advance(duration); }
    void advance(base::Duration duration) {
        const std::lock_guard lock(mutex_);
        manual_.advance(duration);
    }
    /// Since 1970, as tokens count.
    long long seconds() const {
        return std::chrono::duration_cast<std::chrono::seconds>(now().time_since_epoch()).count();
    }

private:
    mutable std::mutex mutex_;
    ManualClock manual_;
};

/// Randomness for several threads; different on every call.
class SharedRandom final : public base::Random {
public:
    std::string bytes(std::size_t count) override {
        const std::lock_guard lock(mutex_);
        return counting_.bytes(count);
    }

private:
    std::mutex mutex_;
    CountingRandom counting_;
};

/// A private directory, removed with everything in it at the end of the scope.
class TemporaryDirectory {
public:
    TemporaryDirectory() {
        auto made = base::make_temporary_directory("interlock-test");
        if (!made) {
            throw std::runtime_error(base::to_text(made.error()));
        }
        path_ = made.value();
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() { (void)base::remove_recursively(path_); }
    const std::string& path() const { return path_; }
    std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

} // namespace interlock::test
