# cmake -DMANIFEST=<install_manifest.txt> -P uninstall.cmake: removes the installed files, then the
# folders of our own that are left empty. DESTDIR is honoured.

if(NOT EXISTS "${MANIFEST}")
    message(FATAL_ERROR "mimalloc: nothing to uninstall: ${MANIFEST} is missing")
endif()

file(STRINGS "${MANIFEST}" files)
set(folders)
foreach(file IN LISTS files)
    set(path "$ENV{DESTDIR}${file}")
    if(EXISTS "${path}" OR IS_SYMLINK "${path}")
        message(STATUS "Removing ${path}")
        file(REMOVE "${path}")
    else()
        message(STATUS "Already gone: ${path}")
    endif()
    get_filename_component(folder "${path}" DIRECTORY)
    list(APPEND folders "${folder}")
endforeach()

list(REMOVE_DUPLICATES folders)
foreach(folder IN LISTS folders)
    get_filename_component(name "${folder}" NAME)
    file(GLOB rest "${folder}/*")
    if(name MATCHES "^mimalloc" AND NOT rest)
        file(REMOVE_RECURSE "${folder}")
    endif()
endforeach()
