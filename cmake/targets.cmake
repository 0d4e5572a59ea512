# The products. The sources are compiled once, as the object library mimalloc-obj; the shared
# library, the archive and mimalloc.o are made of its objects.

set(mi_sources ${mi_core_sources})
set(mi_override 0)
if(MI_OVERRIDE)
    list(PREPEND mi_sources ${mi_override_sources})
    set(mi_override 1)
endif()

set(mi_folder_version "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
if(MI_INSTALL_TOPLEVEL)
    set(mi_install_include "${CMAKE_INSTALL_INCLUDEDIR}")
    set(mi_install_archive "${CMAKE_INSTALL_LIBDIR}")
    set(mi_install_cmake "${CMAKE_INSTALL_LIBDIR}/cmake/mimalloc")
else()
    set(mi_install_include "${CMAKE_INSTALL_INCLUDEDIR}/mimalloc-${mi_folder_version}")
    set(mi_install_archive "${CMAKE_INSTALL_LIBDIR}/mimalloc-${mi_folder_version}")
    set(mi_install_cmake "${CMAKE_INSTALL_LIBDIR}/cmake/mimalloc-${mi_folder_version}")
endif()

add_library(mimalloc-obj OBJECT ${mi_sources})
mi_configure(mimalloc-obj ${mi_override})
target_link_libraries(mimalloc-obj INTERFACE Threads::Threads ${mi_libatomic})

# mi_product(TARGET ALIAS): the name, headers and system libraries that all products share.
function(mi_product target alias)
    add_library(mimalloc::${alias} ALIAS ${target})
    target_include_directories(${target} PUBLIC
        "$<BUILD_INTERFACE:${mi_include_dir}>" "$<INSTALL_INTERFACE:${mi_install_include}>")
    target_link_libraries(${target} PRIVATE Threads::Threads ${mi_libatomic})
    target_link_options(${target} PRIVATE ${mi_instrument})
    set_target_properties(${target} PROPERTIES
        LINKER_LANGUAGE C OUTPUT_NAME ${mi_name} DEBUG_POSTFIX -debug
        INTERPROCEDURAL_OPTIMIZATION OFF)
    if(PROJECT_IS_TOP_LEVEL)
        set_target_properties(${target} PROPERTIES
            LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}"
            ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
    endif()
endfunction()

if(MI_BUILD_SHARED)
    set(exports "${PROJECT_SOURCE_DIR}/cmake/exports.map")
    add_library(mimalloc SHARED $<TARGET_OBJECTS:mimalloc-obj>)
    mi_product(mimalloc mimalloc)
    set_target_properties(mimalloc PROPERTIES
        VERSION ${mi_folder_version} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS "${exports}")
    target_link_options(mimalloc PRIVATE
        "LINKER:-z,nodelete" "LINKER:-z,now" "LINKER:-Bsymbolic-functions"
        "LINKER:--version-script=${exports}")
    if(NOT MI_SANITIZE) # whose library has to come before libc
        # glibc has it in an archive: in front too, see sources.cmake
        target_link_options(mimalloc PRIVATE "LINKER:-u,pthread_atfork" -lc)
    endif()
endif()

if(MI_BUILD_STATIC)
    add_library(mimalloc-static STATIC $<TARGET_OBJECTS:mimalloc-obj>)
    mi_product(mimalloc-static static)
    target_link_options(mimalloc-static INTERFACE "$<BUILD_INTERFACE:${mi_instrument}>")
endif()

# One relocatable object with the internal names made local. Linked first, it always wins over the
# malloc of the C library, and no archive rule can leave parts of it out.
if(MI_BUILD_OBJECT)
    add_library(mimalloc::object ALIAS mimalloc-obj)
    set(mi_object_name "${mi_name}.o")
    if(CMAKE_BUILD_TYPE STREQUAL "Debug")
        set(mi_object_name "${mi_name}-debug.o")
    endif()
    set(mi_object "${CMAKE_CURRENT_BINARY_DIR}/${mi_object_name}")
    add_custom_command(
        OUTPUT "${mi_object}"
        COMMAND "${CMAKE_C_COMPILER}" -r -nostdlib -o "${mi_object}" "$<TARGET_OBJECTS:mimalloc-obj>"
        COMMAND "${CMAKE_OBJCOPY}" --localize-hidden "${mi_object}"
        DEPENDS mimalloc-obj "$<TARGET_OBJECTS:mimalloc-obj>"
        COMMENT "Linking ${mi_object_name}"
        COMMAND_EXPAND_LISTS VERBATIM)
    set(all)
    if(PROJECT_IS_TOP_LEVEL OR MI_INSTALL)
        set(all ALL)
    endif()
    add_custom_target(mimalloc-object-file ${all} DEPENDS "${mi_object}")
endif()
