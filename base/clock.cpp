#include "base/clock.hpp"

#include <array>
#include <cstdio>
#include <optional>
#include <thread>

namespace interlock::base {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;

Error unreadable(std::string_view why) {
    return Error{
        Errc::invalid_input,
        "The time does not parse: " + std::string(why) + ".",
        "Write it as RFC 3339, for example 2026-11-21T03:00:00Z."};
}

/// Takes exactly `count` digits off the front.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
    if (text.size() < count) {
        return std::nullopt;
    }
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (text[i] < '0' || text[i] > '9') {
            return std::nullopt;
        }
        value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return value;
}

bool take(std::string_view& text, char expected) {
    if (text.empty() || text.front() != expected) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

/// ".123": digits past the sixth are read and dropped.
std::optional<microseconds> take_fraction(std::string_view& text) {
    if (!take(text, '.')) {
        return microseconds{0};
    }
    long long value = 0;
    std::size_t digits = 0;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
        if (digits < 6) {
            value = value * 10 + (text.front() - '0');
        }
        ++digits;
        text.remove_prefix(1);
    }
    if (digits == 0 || digits > 9) {
        return std::nullopt;
    }
    for (; digits < 6; ++digits) {
        value *= 10;
    }
    return microseconds{value};
}

/// "Z", "+02:00": what must be subtracted to reach UTC.
std::optional<minutes> take_offset(std::string_view& text) {
    if (take(text, 'Z') || take(text, 'z')) {
        return minutes{0};
    }
    const bool negative = take(text, '-');
    if (!negative && !take(text, '+')) {
        return std::nullopt;
    }
    const auto hour = take_digits(text, 2);
    if (!hour || !take(text, ':')) {
        return std::nullopt;
    }
    const auto minute = take_digits(text, 2);
    if (!minute || *hour > 23 || *minute > 59) {
        return std::nullopt;
    }
    const minutes offset = hours{*hour} + minutes{*minute};
    return negative ? -offset : offset;
}

} // namespace

Time SystemClock::now() const {
    return floor<microseconds>(std::chrono::system_clock::now());
}

Ticks SystemClock::ticks() const {
    return std::chrono::steady_clock::now();
}

void SystemClock::sleep_for(Duration duration) {
    std::this_thread::sleep_for(duration);
}

std::string format_time(Time time) {
    const auto day = floor<days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{time - day};
    std::array<char, 40> buffer{};
    const int length = std::snprintf(
        buffer.data(),
        buffer.size(),
        "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ",
        static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()),
        static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()),
        static_cast<int>(clock.subseconds().count())
    );
    return std::string(buffer.data(), static_cast<std::size_t>(length));
}

Result<Time> parse_time(std::string_view text) {
    const auto year = take_digits(text, 4);
    if (!year || !take(text, '-')) {
        return unreadable("it does not start with a year");
    }
    const auto month = take_digits(text, 2);
    if (!month || !take(text, '-')) {
        return unreadable("the month is not two digits");
    }
    const auto day = take_digits(text, 2);
    if (!day || !(take(text, 'T') || take(text, 't') || take(text, ' '))) {
        return unreadable("the day is not two digits followed by T");
    }
    const std::chrono::year_month_day date{
        std::chrono::year{*year},
        std::chrono::month{static_cast<unsigned>(*month)},
        std::chrono::day{static_cast<unsigned>(*day)}};
    if (!date.ok()) {
        return unreadable("there is no such day");
    }
    const auto hour = take_digits(text, 2);
    if (!hour || *hour > 23 || !take(text, ':')) {
        return unreadable("the hour is not 00 to 23");
    }
    const auto minute = take_digits(text, 2);
    if (!minute || *minute > 59 || !take(text, ':')) {
        return unreadable("the minute is not 00 to 59");
    }
    const auto second = take_digits(text, 2);
    if (!second || *second > 59) {
        return unreadable("the second is not 00 to 59");
    }
    const auto fraction = take_fraction(text);
    if (!fraction) {
        return unreadable("the fraction is not one to nine digits");
    }
    const auto offset = take_offset(text);
    if (!offset || !text.empty()) {
        return unreadable("it does not end with Z or an offset such as +02:00");
    }
    return Time{
        std::chrono::sys_days{date} + hours{*hour} + minutes{*minute} + seconds{*second} +
        *fraction - *offset};
}

long long microseconds_since_epoch(Time time) {
    return time.time_since_epoch().count();
}

} // namespace interlock::base
