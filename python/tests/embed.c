/* A program with CPython in it, for test_embed.py: runs the code of argv[2] in argv[3] lives of the
   interpreter. argv[1]: domains for mimalloc_python_preinit(), 0 for none. */
#include "mimalloc_python.h"

#include <stdlib.h>

static PyStatus start(unsigned domains)
{
    PyPreConfig preconfig;
    PyPreConfig_InitPythonConfig(&preconfig);
    PyStatus status = Py_PreInitialize(&preconfig);
    if (PyStatus_Exception(status)) return status;
    if (domains != 0) status = mimalloc_python_preinit(domains);
    if (PyStatus_Exception(status)) return status;
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 4) return 2;
    const unsigned domains = (unsigned)atoi(argv[1]);
    for (int life = 0; life < atoi(argv[3]); life++) {
        const PyStatus status = start(domains);
        if (PyStatus_Exception(status)) {
            fprintf(stderr, "%s\n", status.err_msg);
            return 3;
        }
        if (!PyStatus_Exception(mimalloc_python_preinit(MIMALLOC_PYTHON_ALL))) return 4;
        if (PyRun_SimpleString(argv[2]) != 0) return 5;
        if (Py_FinalizeEx() != 0) return 6;
    }
    return 0;
}
