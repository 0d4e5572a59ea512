# The source lists, and mi_configure(): the flags and definitions that every compilation of the
# core gets, whether for the libraries or for the tests.

include(CheckCCompilerFlag)
include(CheckCSourceCompiles)

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

file(GLOB mi_core_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/core/src/*/*.c")
file(GLOB mi_override_sources CONFIGURE_DEPENDS
    "${PROJECT_SOURCE_DIR}/bindings/override/*.c" "${PROJECT_SOURCE_DIR}/bindings/cpp/*.c")
if(NOT mi_core_sources)
    message(FATAL_ERROR "mimalloc: no sources under core/src")
endif()

# core/src/os has one file per system: keep that of the target.
string(TOLOWER "${CMAKE_SYSTEM_NAME}" mi_system)
set(mi_os_source "${PROJECT_SOURCE_DIR}/core/src/os/${mi_system}.c")
if(NOT EXISTS "${mi_os_source}")
    message(FATAL_ERROR "mimalloc: ${CMAKE_SYSTEM_NAME} is not supported: no core/src/os/${mi_system}.c")
endif()
foreach(system IN ITEMS linux darwin windows freebsd android)
    if(NOT system STREQUAL mi_system)
        list(REMOVE_ITEM mi_core_sources "${PROJECT_SOURCE_DIR}/core/src/os/${system}.c")
    endif()
endforeach()

# Objects are linked in this order. The kernel maps code in blocks of 64 KiB around what runs: what
# nearly every program runs lies together, in front, so that half of the code stays out of memory.
# The rest, what is more likely first:
foreach(rare IN ITEMS
    "page/bits" "heap/(guarded|table)" "api/(sized|strings|owned|aligned|walk)"
    "alloc/(count|walk)" "heap/(heap|subproc|theap_look)" "api/(arena|heap|heap_aligned|theap)"
    "vm/(program|count)" "page/look" "os/(resident|trace)" "rt/random"
    "api/(print|stats)" "diag/(json|numbers|stats|text)")
    set(sources ${mi_core_sources})
    list(FILTER sources INCLUDE REGEX "/core/src/${rare}\\.c$")
    list(REMOVE_ITEM mi_core_sources ${sources})
    list(APPEND mi_core_sources ${sources})
endforeach()

# --- flags -----------------------------------------------------------------------------------

set(mi_flags -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free
    -fexceptions) # a new handler may throw through operators new, which are C

if(MI_LOCAL_DYNAMIC_TLS)
    list(APPEND mi_flags -ftls-model=local-dynamic)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
        check_c_compiler_flag(-mtls-dialect=gnu2 MI_HAVE_TLS_GNU2)
        if(MI_HAVE_TLS_GNU2)
            list(APPEND mi_flags -mtls-dialect=gnu2)
        endif()
    endif()
else()
    list(APPEND mi_flags -ftls-model=initial-exec)
endif()

if(MI_OPT_ARCH AND NOT MI_NO_OPT_ARCH)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
        list(APPEND mi_flags -march=haswell -mavx2)
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
        list(APPEND mi_flags -march=armv8.1-a)
    else()
        message(STATUS "mimalloc: MI_OPT_ARCH has no effect: no choice for ${CMAKE_SYSTEM_PROCESSOR}")
    endif()
endif()

if(MI_SEE_ASM)
    list(APPEND mi_flags -save-temps=obj)
endif()

set(mi_warnings)
if(PROJECT_IS_TOP_LEVEL)
    set(mi_warnings -Wall -Wextra -Wpedantic -Wconversion -Wundef)
endif()
if(MI_WERROR)
    list(APPEND mi_warnings -Werror)
endif()

# Instrumentation is needed when compiling and when linking.
set(mi_instrument)
if(MI_SANITIZE)
    list(APPEND mi_instrument -fsanitize=${MI_SANITIZE} -fno-omit-frame-pointer -g)
    if(MI_SANITIZE STREQUAL "undefined")
        list(APPEND mi_instrument -fno-sanitize-recover=all)
    elseif(MI_SANITIZE STREQUAL "thread" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
        list(APPEND mi_instrument -Wno-tsan) # gcc warns on every atomic_thread_fence
    endif()
endif()
if(MI_COVERAGE)
    list(APPEND mi_instrument --coverage -fprofile-update=atomic -O0 -g)
endif()

# --- libatomic: only where the compiler does not inline pointer-sized atomics -----------------

set(mi_libatomic)
set(mi_atomic_probe "
    #include <stdatomic.h>
    #include <stdint.h>
    static _Atomic(uint64_t) word;
    int main(void) { uint64_t old = 0; return (int)atomic_compare_exchange_strong(&word, &old, 1); }")
check_c_source_compiles("${mi_atomic_probe}" MI_HAVE_INLINE_ATOMICS)
if(MI_USE_LIBATOMIC OR NOT MI_HAVE_INLINE_ATOMICS)
    set(mi_libatomic atomic)
endif()

# --- definitions -----------------------------------------------------------------------------

# mi_define(NAME OPTION): NAME=1 when OPTION is true, else NAME=0; the core never asks `defined`.
set(mi_definitions)
macro(mi_define name value)
    if(${value})
        list(APPEND mi_definitions ${name}=1)
    else()
        list(APPEND mi_definitions ${name}=0)
    endif()
endmacro()

mi_define(MIC_MODE_SECURE MI_SECURE)
mi_define(MIC_MODE_HARDENED MI_SECURE_FULL)
mi_define(MIC_CFG_XMALLOC MI_XMALLOC)
mi_define(MIC_CFG_SHOW_ERRORS MI_SHOW_ERRORS)
mi_define(MIC_CFG_GUARDED MI_GUARDED)
mi_define(MIC_CFG_NO_THP MI_NO_THP)
mi_define(MIC_CFG_SKIP_COLLECT_ON_EXIT MI_SKIP_COLLECT_ON_EXIT)

if(MI_NO_DEBUG)
    list(APPEND mi_definitions MIC_MODE_DEBUG=0)
elseif(MI_DEBUG OR MI_DEBUG_INTERNAL OR MI_DEBUG_FULL OR MI_CHECK_FULL)
    list(APPEND mi_definitions MIC_MODE_DEBUG=1)
else()
    list(APPEND mi_definitions MIC_MODE_DEBUG=$<CONFIG:Debug>)
endif()

# --- mi_configure ----------------------------------------------------------------------------

# mi_configure(TARGET OVERRIDE): compile TARGET as part of the core; OVERRIDE is 0 or 1.
function(mi_configure target override)
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/core/src")
    target_include_directories(${target} PUBLIC "$<BUILD_INTERFACE:${mi_include_dir}>")
    target_compile_definitions(${target} PRIVATE
        ${mi_definitions} MIC_OVERRIDE=${override} ${MI_EXTRA_CPPDEFS})
    target_compile_options(${target} PRIVATE
        ${mi_warnings} ${mi_flags} $<$<CONFIG:Debug>:-Og> ${mi_instrument})
    set_target_properties(${target} PROPERTIES
        C_STANDARD 17 C_STANDARD_REQUIRED ON C_EXTENSIONS ON
        C_VISIBILITY_PRESET hidden
        POSITION_INDEPENDENT_CODE ON
        INTERPROCEDURAL_OPTIMIZATION OFF)
endfunction()

set(mi_include_dir "${PROJECT_SOURCE_DIR}/core/include")
