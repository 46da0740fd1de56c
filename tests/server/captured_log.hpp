// What is written to the operational log while this lives.
#pragma once

#include "base/file.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "tests/support/fakes.hpp"

#include <cstddef>
#include <fcntl.h>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace interlock::test {

class CapturedLog {
public:
    CapturedLog() : saved_(::dup(STDERR_FILENO)) {
        base::log_setup("tester", base::LogLevel::info, nullptr);
        const int file = ::open(path().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        ::dup2(file, STDERR_FILENO);
        ::close(file);
    }
    CapturedLog(const CapturedLog&) = delete;
    CapturedLog& operator=(const CapturedLog&) = delete;
    ~CapturedLog() {
        ::dup2(saved_, STDERR_FILENO);
        ::close(saved_);
        base::log_setup("tests", base::LogLevel::warning, nullptr);
    }
    /// The lines of one event so far. Callers include <nlohmann/json.hpp>.
    template <class Json = base::Json>
    std::vector<Json> lines(const std::string& event) const {
        std::istringstream text(base::read_file(path(), std::size_t{64} << 20).value());
        std::vector<Json> found;
        for (std::string line; std::getline(text, line);) {
            base::Result<Json> parsed = base::parse_json(line);
            if (parsed && base::string_member(*parsed, "event") == event) {
                found.push_back(std::move(*parsed));
            }
        }
        return found;
    }

private:
    std::string path() const { return directory_.file("stderr"); }

    TemporaryDirectory directory_;
    int saved_;
};

} // namespace interlock::test
