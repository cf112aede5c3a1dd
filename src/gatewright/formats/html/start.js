"use strict";

prepareResult();
prepareInside();
makeInput();
makeSamples();
update();
measure();
update(); // measuring has put other samples in
