// The value of a result that must be one: the lab throws where a case could not go on.
#pragma once

#include "base/result.hpp"

#include <stdexcept>
#include <utility>

namespace interlock::lab {

template <class T>
T take(base::Result<T> result) {
    if (!result) {
        throw std::runtime_error(base::to_text(result.error()));
    }
    return std::move(result).value();
}

} // namespace interlock::lab
