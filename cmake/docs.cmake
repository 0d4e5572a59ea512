# Target docs: the reference of the interface, from the comments in the headers (docs/Doxyfile), as
# reference/html/index.html in the build folder.

find_program(MI_DOXYGEN doxygen)
if(MI_DOXYGEN)
    set(doxyfile "${CMAKE_CURRENT_BINARY_DIR}/Doxyfile")
    file(WRITE "${doxyfile}" "@INCLUDE = \"${PROJECT_SOURCE_DIR}/docs/Doxyfile\"\n"
        "OUTPUT_DIRECTORY = \"${PROJECT_BINARY_DIR}/reference\"\n")
    add_custom_target(docs
        COMMAND "${MI_DOXYGEN}" "${doxyfile}"
        WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
        COMMENT "Making ${PROJECT_BINARY_DIR}/reference/html/index.html"
        VERBATIM)
endif()
