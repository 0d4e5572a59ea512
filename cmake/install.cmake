# Install layout (MI_INSTALL_TOPLEVEL drops the versioned folders):
#
#   include/mimalloc-3.4/*.h
#   lib/libmimalloc.so -> .so.3 -> .so.3.4
#   lib/mimalloc-3.4/libmimalloc.a, mimalloc.o
#   lib/cmake/mimalloc-3.4/mimalloc{,-<build type>,-config,-config-version}.cmake
#   lib/pkgconfig/mimalloc.pc

include(CMakePackageConfigHelpers)

file(GLOB mi_headers CONFIGURE_DEPENDS "${mi_include_dir}/*.h" "${mi_include_dir}/*.hpp")
install(FILES ${mi_headers} DESTINATION "${mi_install_include}")

set(products)
if(MI_BUILD_SHARED)
    list(APPEND products mimalloc)
endif()
if(MI_BUILD_STATIC)
    list(APPEND products mimalloc-static)
endif()
if(products)
    install(TARGETS ${products} EXPORT mimalloc
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
        ARCHIVE DESTINATION "${mi_install_archive}")
    install(EXPORT mimalloc DESTINATION "${mi_install_cmake}")
endif()
if(MI_BUILD_OBJECT)
    install(FILES "${mi_object}" DESTINATION "${mi_install_archive}")
endif()

# --- CMake package ---------------------------------------------------------------------------

configure_package_config_file(
    "${PROJECT_SOURCE_DIR}/cmake/mimalloc-config.cmake.in"
    "${CMAKE_CURRENT_BINARY_DIR}/mimalloc-config.cmake"
    INSTALL_DESTINATION "${mi_install_cmake}"
    PATH_VARS mi_install_include mi_install_archive CMAKE_INSTALL_LIBDIR)
# Same major version, and not older than what was asked for.
write_basic_package_version_file(
    "${CMAKE_CURRENT_BINARY_DIR}/mimalloc-config-version.cmake" COMPATIBILITY SameMajorVersion)
install(FILES
    "${CMAKE_CURRENT_BINARY_DIR}/mimalloc-config.cmake"
    "${CMAKE_CURRENT_BINARY_DIR}/mimalloc-config-version.cmake"
    DESTINATION "${mi_install_cmake}")

# --- pkg-config ------------------------------------------------------------------------------

# The prefix is written as seen from the .pc file itself, so that an installed tree can be moved.
set(pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH pc_prefix "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
# pc_below(VARIABLE DIRECTORY): DIRECTORY below ${prefix}, or as it is when absolute.
function(pc_below variable directory)
    if(IS_ABSOLUTE "${directory}")
        set(${variable} "${directory}" PARENT_SCOPE)
    else()
        set(${variable} "\${prefix}/${directory}" PARENT_SCOPE)
    endif()
endfunction()
pc_below(pc_libdir "${CMAKE_INSTALL_LIBDIR}")
pc_below(pc_includedir "${mi_install_include}")
pc_below(pc_archivedir "${mi_install_archive}")

set(pc_name "${mi_name}")
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
    string(APPEND pc_name "-debug")
endif()
set(pc_system "${CMAKE_THREAD_LIBS_INIT}")
if(mi_libatomic)
    string(APPEND pc_system " -l${mi_libatomic}")
endif()
configure_file("${PROJECT_SOURCE_DIR}/pkgconfig/mimalloc.pc.in"
    "${CMAKE_CURRENT_BINARY_DIR}/mimalloc.pc" @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/mimalloc.pc" DESTINATION "${pc_dir}")

# --- uninstall -------------------------------------------------------------------------------

if(PROJECT_IS_TOP_LEVEL)
    add_custom_target(uninstall
        COMMAND "${CMAKE_COMMAND}" "-DMANIFEST=${PROJECT_BINARY_DIR}/install_manifest.txt"
            -P "${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake"
        COMMENT "Removing what the last installation put in place"
        VERBATIM)
endif()
