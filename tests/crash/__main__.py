import sys

from tests.crash.many import main

if __name__ == "__main__":
    sys.exit(main())
