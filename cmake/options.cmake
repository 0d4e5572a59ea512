# Every MI_ option, with the names of mimalloc 3.4.3. An option that has no effect here is still
# accepted, and says why in one line when it is set. The outcome is read by sources.cmake.

# --- what to build ---------------------------------------------------------------------------

option(MI_BUILD_SHARED "Build the shared library (target mimalloc)" ON)
option(MI_BUILD_STATIC "Build the archive (target mimalloc-static)" ON)
option(MI_BUILD_OBJECT "Build the single object mimalloc.o (target mimalloc-obj)" ON)
option(MI_INSTALL "Make install rules" ${PROJECT_IS_TOP_LEVEL})
option(MI_INSTALL_TOPLEVEL "Install without versioned folders" OFF)
set(MI_BUILD_TESTS AUTO CACHE STRING
    "Build the tests: ON, OFF, or AUTO (when this is the top project and cmocka is installed)")
option(MI_WERROR "Treat warnings as errors" OFF)
set(MI_SANITIZE "" CACHE STRING "Sanitizer for everything built: address, undefined, thread")
option(MI_COVERAGE "Record line coverage (gcov)" OFF)

# --- what the library does -------------------------------------------------------------------

option(MI_SECURE "Secure mode: libmimalloc-secure.so" OFF)
option(MI_SECURE_FULL "Hardened mode: secure mode plus clearing on free, quarantine, and a look for writes after free" OFF)
option(MI_OVERRIDE "Define malloc, free, operator new and the rest of the C heap interface" ON)
option(MI_XMALLOC "Abort when memory cannot be had" OFF)
option(MI_SHOW_ERRORS "Print error messages by default" OFF)
option(MI_GUARDED "Sample objects into guarded pages by default" OFF)
option(MI_NO_THP "Keep transparent huge pages off by default" OFF)
option(MI_SKIP_COLLECT_ON_EXIT "Do not collect when the process exits" OFF)
option(MI_DEBUG "Assertions and client checks (always on in a Debug build)" OFF)
option(MI_DEBUG_INTERNAL "The same as MI_DEBUG" OFF)
option(MI_DEBUG_FULL "The same as MI_DEBUG; see MIMALLOC_DEBUG_DEEP for whole-heap checks" OFF)
option(MI_NO_DEBUG "No assertions, even in a Debug build" OFF)
option(MI_CHECK_FULL "Deprecated: use MI_DEBUG_FULL" OFF)
option(MI_DEBUG_TSAN "The same as MI_SANITIZE=thread" OFF)
option(MI_DEBUG_UBSAN "The same as MI_SANITIZE=undefined" OFF)
option(MI_OPT_ARCH "Compile for a recent processor (x86-64: haswell, arm64: armv8.1-a)" OFF)
option(MI_NO_OPT_ARCH "Overrides MI_OPT_ARCH" OFF)
option(MI_LOCAL_DYNAMIC_TLS "Take thread-local storage dynamically (for late dlopen)" OFF)
option(MI_LIBC_MUSL "Build for musl: implies MI_LOCAL_DYNAMIC_TLS" OFF)
option(MI_USE_LIBATOMIC "Deprecated: link libatomic (found by itself where it is needed)" OFF)
option(MI_SEE_ASM "Keep the assembly output of the compiler" OFF)
set(MI_EXTRA_CPPDEFS "" CACHE STRING "More preprocessor definitions, as a list of NAME=VALUE")

# --- accepted, without effect ----------------------------------------------------------------

# no_effect(NAME REASON): declare an option that is OFF by default; say why when it is ON.
function(no_effect name reason)
    option(${name} "No effect: ${reason}" OFF)
    if(${name})
        message(STATUS "mimalloc: ${name} has no effect: ${reason}")
    endif()
endfunction()

set(reason_windows "Windows is not supported")
set(reason_tls "the thread pointer and the compiler's TLS are always used")
set(reason_client "the core has no annotations for memory checkers")

no_effect(MI_PADDING "secure, hardened and debug builds have canaries, release builds none")
no_effect(MI_NO_PADDING "canaries belong to the mode: build release to have none")
no_effect(MI_FREE_IS_CHECKED "free always validates the address")
no_effect(MI_TRACK_VALGRIND "${reason_client}")
no_effect(MI_TRACK_ASAN "${reason_client}; MI_SANITIZE=address instruments the core itself")
no_effect(MI_TRACK_ETW "${reason_windows}")
no_effect(MI_USE_CXX "the core is C17 and throws std::bad_alloc all the same")
no_effect(MI_NO_USE_CXX "the core is always compiled as C17")
no_effect(MI_OPT_SIMD "the core has no SIMD code of its own; see MI_OPT_ARCH")
no_effect(MI_TLS_MODEL_LOCAL "${reason_tls}")
no_effect(MI_TLS_MODEL_PTHREADS "${reason_tls}")
no_effect(MI_TLS_RECURSE_GUARD "reading thread-local storage never allocates here")
no_effect(MI_WIN_DIRECT_TLS "${reason_windows}")
no_effect(MI_WIN_INIT_USE_RAW_DLLMAIN "${reason_windows}")
no_effect(MI_WIN_INIT_USE_TLS_DLLMAIN "${reason_windows}")
no_effect(MI_WIN_USE_FLS "${reason_windows}")

# These are ON by default on their systems; OFF and ON are equal on the others.
option(MI_OSX_INTERPOSE "macOS only: interpose the C heap interface" ON)
option(MI_OSX_ZONE "macOS only: register as a malloc zone" ON)
option(MI_WIN_REDIRECT "Windows only: redirect the C runtime" ON)
foreach(name IN ITEMS MI_OSX_INTERPOSE MI_OSX_ZONE MI_WIN_REDIRECT)
    if(NOT ${name})
        message(STATUS "mimalloc: ${name} has no effect: not on ${CMAKE_SYSTEM_NAME}")
    endif()
endforeach()

# --- what follows from them ------------------------------------------------------------------

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    message(STATUS "mimalloc: CMAKE_BUILD_TYPE is not set: building Release")
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo, MinSizeRel" FORCE)
endif()

if(MI_SECURE_FULL AND NOT MI_SECURE)
    set(MI_SECURE ON)
endif()

if(MI_DEBUG_TSAN)
    set(MI_SANITIZE thread)
elseif(MI_DEBUG_UBSAN)
    set(MI_SANITIZE undefined)
endif()
if(NOT MI_SANITIZE MATCHES "^(address|undefined|thread)?$")
    message(FATAL_ERROR "mimalloc: MI_SANITIZE is '${MI_SANITIZE}'; "
        "it must be empty, address, undefined or thread")
endif()
if(MI_SANITIZE MATCHES "^(address|thread)$" AND MI_OVERRIDE)
    message(STATUS "mimalloc: MI_OVERRIDE is OFF: the ${MI_SANITIZE} sanitizer brings its own malloc")
    set(MI_OVERRIDE OFF)
endif()

if(MI_LIBC_MUSL)
    set(MI_LOCAL_DYNAMIC_TLS ON)
endif()

# The name carries the mode and, by DEBUG_POSTFIX in targets.cmake, the Debug build type.
set(mi_name mimalloc)
if(MI_SECURE)
    string(APPEND mi_name "-secure")
endif()
